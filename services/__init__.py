"""Programs on the edge's hosts. They share no code with the controller: JSON files and HTTP join them."""
