# Cuts the pages that elluminate-idl makes of the interface into files of the folder `out`.
/^\.\\" FILE / {
	if (file)
		close(file)
	file = out "/" $3
	next
}

{
	print >file
}
