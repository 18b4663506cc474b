"""From a bundle to firmware: ESPHome, portable C99 and TensorFlow Lite Micro."""
