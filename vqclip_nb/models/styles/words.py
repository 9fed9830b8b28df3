"""What people call the styles, without words that also name a thing, such as "pencil"."""

from __future__ import annotations

_NAMES = {
    "pixel art": "pixel-art;pixelart;pixels;pixelated;pixel graphics;8-bit;8bit;8 bit;8-bit art;"
    "16-bit;16bit;16 bit;retro game",
    "line drawing": "line art;line-art;lineart;outline;outlines;outlined;contour drawing;"
    "ink drawing;pen drawing;pen and ink;colouring page;coloring page;colouring book;coloring book",
    "black and white": "black-and-white;black & white;b&w;b & w;b/w;monochrome;greyscale;grayscale;"
    "black and white photo;black and white photograph;film noir",
    "sepia": "sepia tone;sepia toned;sepia-toned;sepia photo;sepia photograph;old photo;"
    "old photograph;vintage photo;vintage photograph;antique photograph;daguerreotype",
    "watercolour": "watercolor;water colour;water color;watercolours;watercolors;aquarelle;"
    "watercolour painting;watercolor painting;gouache",
    "neon": "neon sign;neon light;neon lights;neon art;neon lines;neon glow;neon tubes",
    "mosaic": "mosaics;mosaic tiles;mosaic art;tile mosaic;roman mosaic;tesserae",
    "stained glass": "stained-glass;stained glass window;stained-glass window;leaded glass;"
    "tiffany glass",
    "oil painting": "oil-painting;oils;oil paint;oil paints;oil on canvas;painted in oil;"
    "painted in oils;impasto",
    "pencil sketch": "sketch;sketched;pencil drawing;pencil art;drawn in pencil;graphite;"
    "graphite drawing;cross-hatching;crosshatching;charcoal drawing",
    "impressionist": "impressionism;impressionistic;impressionist painting;post-impressionist;"
    "post-impressionism;monet;claude monet;van gogh;vincent van gogh;renoir;pissarro;seurat;"
    "pointillism;pointillist",
    "comic": "comics;comic book;comic-book;comic strip;comic book art;graphic novel;cartoon;manga",
    "low poly": "low-poly;lowpoly;low poly art;low polygon;polygon art;polygonal;polygons",
    "pop art": "pop-art;popart;warhol;andy warhol;screen print;screenprint;silkscreen",
    "woodcut": "wood cut;woodcuts;linocut;lino cut;linoleum print;woodblock;woodblock print;"
    "block print;wood engraving;engraving;etching",
    "chalk": "chalk drawing;chalk art;drawn in chalk;chalkboard drawing;blackboard drawing",
}
SYNONYMS = {name: style for style, names in _NAMES.items() for name in names.split(";")}
