// What the panel does in the page. Its HTML calls these functions, see in_page.py.
window.vqclip = {
  // Put a text into a hidden box of the element's panel, whose widget tells the kernel.
  write(element, name, text) {
    const box = element.closest('.vq-panel').querySelector(`.${name} input`);
    box.value = text;
    for (const kind of ['input', 'change']) box.dispatchEvent(new Event(kind, {bubbles: true}));
  },

  // A picture in a view as large as the window, which follows the panel while it paints.
  enlarge(picture) {
    const panel = picture.closest('.vq-panel');
    const pictures = () => [...panel.querySelectorAll('.vq-frame img')];
    const place = pictures().indexOf(picture);
    const view = document.createElement('dialog');
    view.className = 'vq-large';
    view.innerHTML = `<div><img data-key="1"></div><p><span></span>
      <button data-key="ArrowLeft" title="An earlier step (arrow key)">←</button>
      <button data-key="ArrowRight" title="A later step (arrow key)">→</button>
      <button data-key="1" title="Pixel by pixel, or as large as the window (1)">1:1</button>
      <button data-key="p" title="Sharp pixels, or smooth (p)">pixels</button>
      <button data-key="Escape" title="Back to the panel (Esc)">close</button></p>`;
    const large = view.querySelector('img'), caption = view.querySelector('span');
    const follow = () => {
      const now = pictures()[place] ?? pictures()[0];
      if (!now) return;
      large.src = now.dataset.full ?? now.src;
      large.alt = caption.textContent = now.alt;
    };
    const move = (way) => {
      const steps = panel.querySelector('.vq-strip').dataset.steps.split(' ');
      const next = steps[steps.indexOf(pictures()[0].dataset.step) + way];
      if (next) vqclip.write(panel, 'vq-goto', next);
    };
    const keys = {
      ArrowLeft: () => move(-1), ArrowRight: () => move(1), Escape: () => view.close(),
      1: () => view.classList.toggle('vq-natural'), p: () => view.classList.toggle('vq-pixels'),
    };
    view.onclick = (event) => keys[event.target.dataset.key]?.();
    view.onkeydown = (event) => { event.stopPropagation(); keys[event.key]?.(); };
    const watcher = new MutationObserver(follow);
    watcher.observe(panel, {subtree: true, childList: true});
    view.onclose = () => { watcher.disconnect(); view.remove(); };
    document.body.append(view);
    follow();
    view.showModal();
  },

  // How much is painted, in the title of the browser's tab; it goes after a minute without news.
  title(percent) {
    const bare = () => document.title.replace(/^\d+ % · /, '');
    document.title = percent < 100 ? `${percent} % · ${bare()}` : bare();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { document.title = bare(); }, 60000);
  },

  // Send a picture that was dropped or pasted; a large file as a smaller picture.
  async bring(event, files) {
    event.preventDefault();
    event.stopPropagation();
    const element = event.currentTarget;
    const file = [...files].find((each) => each.type.startsWith('image/'));
    if (!file) return;
    if (file.size < 3e6) {
      const reader = new FileReader();
      reader.onload = () => vqclip.write(element, 'vq-brought', reader.result);
      reader.readAsDataURL(file);
      return;
    }
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, 1024 / Math.max(picture.width, picture.height));
    const canvas = document.createElement('canvas');
    canvas.width = picture.width * scale;
    canvas.height = picture.height * scale;
    canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
    vqclip.write(element, 'vq-brought', canvas.toDataURL('image/jpeg', 0.95));
  },

  // A stroke on the mask's canvas: red on the page, white on black for the kernel.
  stroke(event) {
    const canvas = event.currentTarget, pen = canvas.getContext('2d');
    const scale = canvas.width / canvas.clientWidth;
    const width = canvas.closest('.vq-masked').querySelector('input').value;
    Object.assign(pen, {lineCap: 'round', lineJoin: 'round', strokeStyle: '#e02020'});
    pen.lineWidth = scale * width;
    pen.beginPath();
    const draw = (moved) => {
      pen.lineTo(scale * moved.offsetX, scale * moved.offsetY);
      pen.stroke();
    };
    draw(event);
    draw(event);  // a click without a move is a dot
    canvas.setPointerCapture(event.pointerId);
    canvas.onpointermove = draw;
    canvas.onpointerup = canvas.onpointercancel = () => {
      canvas.onpointermove = canvas.onpointerup = canvas.onpointercancel = null;
      vqclip.write(canvas, 'vq-strokes', vqclip.mask(canvas));
    };
  },
  mask(canvas) {
    const mask = canvas.cloneNode(), pen = mask.getContext('2d');
    pen.drawImage(canvas, 0, 0);
    for (const [how, colour] of [['source-in', '#fff'], ['destination-over', '#000']]) {
      pen.globalCompositeOperation = how;
      pen.fillStyle = colour;
      pen.fillRect(0, 0, mask.width, mask.height);
    }
    return mask.toDataURL();
  },
  unpaint(button) {
    const canvas = button.closest('.vq-masked').querySelector('canvas');
    canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
    vqclip.write(canvas, 'vq-strokes', 'none');
  },
};
