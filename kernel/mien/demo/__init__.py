"""The demo: two photographs from ordinary packages, made to move, and one face put on the other."""
