"""The wear of prints, drawn: scratches, dust, cracks, creases, stains, torn corners, and what only looks like them."""
