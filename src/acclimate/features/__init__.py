"""An example as numbers: words, hashed n-grams, embeddings, kernels; and the one cache that remembers them."""
