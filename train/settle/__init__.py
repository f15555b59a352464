"""One style of box in all annotations, before a training reads them; what a detector finds in them."""
