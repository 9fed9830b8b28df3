"""What the lesson notebooks use: drawings, figures and exercises that check themselves. Built on `core`."""
