"""Which things can carry, hold, ride or cover others: lists of names, separated by semicolons."""

from __future__ import annotations

SUPPORTS = """table;chair;sofa;bed;wooden crate;book;books;rock;barrel;suitcase;treasure chest;gift;
drum;cardboard box;desk;log cabin;house;hut;office chair;toolbox;anvil;chest of drawers;cabinet;
car;truck;pumpkin;horse;cow;elephant;turtle;sledge;skateboard;bench;briefcase;logs"""
CONTAINERS = "bowl;basket;bucket;cardboard box;shopping cart;pram;wheelbarrow;shopping basket;mug;"
CONTAINERS += "cauldron;bathtub;canoe;teacup;canoe;waste basket"
CANOPIES = "tree;palm tree;fruit tree;oak;pine tree;autumn tree;beach umbrella;umbrella;willow tree"
HATLESS = "man;woman;boy;girl;baby;old man;old woman;robot;alien"
HATLESS = ";".join(f"{name} face" for name in HATLESS.split(";"))
MOUNTS = "horse;bicycle;motorcycle;camel;elephant;donkey;scooter;skateboard;surfboard;deer;unicorn;"
MOUNTS += "pig;cow;dragon;dolphin;whale;turtle;ostrich;sledge;pegasus;giraffe;lion;bear;tiger"
RIDERS = "girl;boy;man;woman;knight;king;queen;princess;robot;astronaut;monkey;cat;dog;santa claus;"
RIDERS += "bear;alien;pirate;rabbit;fox;frog;ghost;wizard;fairy;elf;skeleton;baby;teddy bear"
HELD = "balloon;balloons;umbrella;flower;rose;bouquet;sword;book;guitar;lantern;ice cream;kite;"
HELD += "tennis racket;basket;candle;teddy bear;gift;heart;lollipop;shovel;broom;microphone;"
HELD += "heart balloons;sunflower;magic wand;trophy;fishing rod;camera;cake;pizza;violin;axe;flag"
FLOWERS = "rose;tulip;flower;sunflower;daisy;bouquet;roses;hibiscus;daffodil;white flower;hyacinth"
FRUIT = (
    "apple;pear;orange;lemon;banana;grapes;cherry;strawberry;peach;plum;lime;pineapple;mango;kiwi"
)
EATEN = FRUIT + ";tomato;onion;carrot;pumpkin;egg;bread;potato;garlic;aubergine;corn;cucumber"
VESSELS = (
    "bottle;wine bottle;teapot;mug;candle;jar;glass of wine;vase;cheese;cake;teacup;book;skull"
)


def names_of(text: str) -> list[str]:
    return [name.strip() for name in text.replace("\n", "").split(";")]
