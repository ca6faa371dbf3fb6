"""Back ends: what runs integer graphs elsewhere, one package each."""
