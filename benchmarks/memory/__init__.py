"""How much memory each kind of task takes."""
