# fish reads this at the first TAB after `venvjail`.
venvjail completion fish | source
