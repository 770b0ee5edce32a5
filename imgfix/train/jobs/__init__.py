"""The kinds of training, one module each; `imgfix.train.kinds.KINDS` lists them."""
