"""Inside the image: the production server. Imports nothing of the build side."""
