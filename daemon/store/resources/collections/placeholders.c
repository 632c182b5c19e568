#include "daemon/store/resources/collections/placeholders.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/resources/collections/collection_state.h"
#include "proto/content/template.h"

struct collecting {
	struct tx *tx;
	json_object *seen;
	json_object *names;
	size_t text;
	struct placeholders *found;
	size_t room;
};

static int add_placeholder(struct collecting *collecting, const char *name)
{
	struct placeholders *found = collecting->found;

	if (json_object_object_get_ex(collecting->seen, name, NULL))
		return 0;
	if (json_object_object_add(collecting->seen, name, NULL) < 0 ||
	    json_object_array_add(collecting->names, json_object_new_string(name)) < 0)
		return -ENOMEM;
	if (found->n == collecting->room) {
		size_t room = collecting->room ? collecting->room * 2 : 16;
		size_t *texts = tx_array(collecting->tx, room, sizeof(*texts));

		if (!texts)
			return -ENOMEM;
		if (found->n > 0)
			memcpy(texts, found->texts, found->n * sizeof(*texts));
		found->texts = texts;
		collecting->room = room;
	}
	found->texts[found->n++] = collecting->text;
	return 0;
}

static int on_placeholder(void *userdata, const char *name, size_t size)
{
	struct collecting *collecting = userdata;
	const char *copy = arena_strndup(collecting->tx->arena, name, size);

	return copy ? add_placeholder(collecting, copy) : -ENOMEM;
}

static int collect(struct collecting *collecting, const char *const *texts, size_t n_texts,
		   bool names)
{
	int r = 0;

	collecting->seen = json_object_new_object();
	collecting->names = json_object_new_array();
	if (!collecting->seen || !collecting->names)
		r = -ENOMEM;
	*collecting->found = (struct placeholders){ 0 };
	for (; r >= 0 && collecting->text < n_texts; collecting->text++)
		r = names ? add_placeholder(collecting, texts[collecting->text]) :
			    template_scan(texts[collecting->text], on_placeholder, collecting);
	if (r >= 0)
		collecting->found->names = tx_strdup(collecting->tx, json_text(collecting->names, NULL));
	json_object_put(collecting->seen);
	json_object_put(collecting->names);
	return r < 0 ? r : collecting->tx->oom ? -ENOMEM : 0;
}

int placeholders_of(struct tx *tx, const char *const *texts, size_t n_texts,
		    struct placeholders *ret_placeholders)
{
	struct collecting collecting = { .tx = tx, .found = ret_placeholders };

	return collect(&collecting, texts, n_texts, /* names= */ false);
}

int placeholders_named(struct tx *tx, const char *const *names, size_t n_names,
		       struct placeholders *ret_placeholders)
{
	struct collecting collecting = { .tx = tx, .found = ret_placeholders };

	return collect(&collecting, names, n_names, /* names= */ true);
}

static int need(struct tx *tx, const char *collection_ids, int64_t first, int64_t n, bool former,
		const struct placeholders *needed, const char *field, bool numbered,
		struct fault *rejected)
{
	struct collection_state state;
	const char *path = field;
	QUERY q = NULL;
	int r;

	if (needed->n == 0)
		return 0;
	/* A collection has few columns: where there are more placeholders, the search ends soon. */
	r = db_row(tx->db, &q, "SELECT i.value, n.key, n.value FROM json_each(?1) i"
			       " CROSS JOIN json_each(?2) n WHERE i.key >= ?3 AND i.key < ?4"
			       " AND NOT EXISTS (SELECT 1 FROM collection_columns c"
			       "  WHERE c.collection_id = i.value AND c.name = n.value"
			       "  AND (c.position IS NOT NULL OR ?5)) LIMIT 1",
		   "ssiib", collection_ids, needed->names, first, first + n, (int)former);
	if (r <= 0)
		return r;
	r = collection_state(tx, column_int(q, 0), &state);
	if (r < 0)
		return r;
	if (numbered)
		path = tx_printf(tx, "%s[%zu]", field, needed->texts[column_int(q, 1)]);
	if (!path)
		return -ENOMEM;
	fault_invalid(rejected, path, "only columns of the collection '%s'; '%s' is none of them",
		      state.name, column_peek(q, 2));
	return 0;
}

int collection_need(struct tx *tx, int64_t id, bool former, const struct placeholders *needed,
		    const char *field, bool numbered, struct fault *rejected)
{
	const char *ids = tx_printf(tx, "[%" PRId64 "]", id);

	if (rejected->code)
		return 0;
	return ids ? need(tx, ids, 0, 1, former, needed, field, numbered, rejected) : -ENOMEM;
}

int collections_need(struct tx *tx, const char *collection_ids, int64_t first, int64_t n,
		     const struct placeholders *needed, const char *field, bool numbered,
		     struct fault *rejected)
{
	return need(tx, collection_ids, first, n, /* former= */ true, needed, field, numbered,
		    rejected);
}
