"""Back ends that run integer graphs elsewhere, one package each."""
