"""How fast the bench is: ratios against the obvious design and against nothing but a codec and a bus."""
