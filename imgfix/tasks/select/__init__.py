"""Choosing a part of a picture by what it is: a click, a box, a name, the main subject, words that are written."""
