"""From a dataset to a bundle: features, network, fit, quantization, evaluation."""
