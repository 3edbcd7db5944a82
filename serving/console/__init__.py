"""The marketer's pages: one decision made visible, in English and German. Records come in, HTML and SVG go out."""
