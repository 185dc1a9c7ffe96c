"""How far a made face is from the one it should be: measures of pictures, and models' losses."""
