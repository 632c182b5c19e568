/* What texts name in double braces, and whether a collection has columns of these names. */
#pragma once

#include "daemon/store/engine/tx.h"

/* The distinct placeholders of texts, and which text has each first. */
struct placeholders {
	const char *names; // JSON array
	size_t *texts;
	size_t n;
};
int placeholders_of(struct tx *tx, const char *const *texts, size_t n_texts,
		    struct placeholders *ret_placeholders);
int placeholders_named(struct tx *tx, const char *const *names, size_t n_names,
		       struct placeholders *ret_placeholders); // these very ones
/* Fills `rejected`, unless it is filled, when one of them is no column, and with `former` never
 * was one: of `field`, or of its item of the text's number. */
int collection_need(struct tx *tx, int64_t id, bool former, const struct placeholders *needed,
		    const char *field, bool numbered, struct fault *rejected);
/* The same, with `former`, of some in a JSON array of collections: `n` of them, from the first on. */
int collections_need(struct tx *tx, const char *collection_ids, int64_t first, int64_t n,
		     const struct placeholders *needed, const char *field, bool numbered,
		     struct fault *rejected);
