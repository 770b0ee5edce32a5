"""From a catalog name to a verified file to a descriptor with its network."""
