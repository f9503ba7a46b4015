# fish completion of hiperiso: the program itself lists what fits, beside the files.
complete --command hiperiso --arguments "(_HIPERISO_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=(commandline -cp) hiperiso 2>/dev/null)"
