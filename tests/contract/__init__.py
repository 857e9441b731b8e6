"""What any implementation of a protocol of ours must do, run over every implementation."""
