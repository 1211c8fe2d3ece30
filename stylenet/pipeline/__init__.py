"""Files, clips and streams to stylized ones."""
