"""Any base model, loaded safely: found by name, read from safetensors only, placed on a device."""
