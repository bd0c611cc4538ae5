"""How a newsroom's bytes become stories. `parse`, `clean` and `picture` run inside the jail, the rest outside."""
