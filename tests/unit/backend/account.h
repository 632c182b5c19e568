/* A service account, whose key is exchanged for access tokens. */
#pragma once

/* Its key file, to be freed; the file of that name, unless it is NULL, has the public key then. */
char *account_new(const char *token_uri, const char *public_file);
