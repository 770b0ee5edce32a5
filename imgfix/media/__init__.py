"""Still pictures, masks, colour, metadata and jobs: what is read and written. numpy only, never torch."""
