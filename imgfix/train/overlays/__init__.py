"""Pictures with something laid over them, made on the fly: `imgfix train select` with the setting overlays."""
