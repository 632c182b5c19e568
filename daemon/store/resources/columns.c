#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/resources/collection.h"
#include "proto/generated/interface.h"
#include "proto/template.h"
#include "proto/utf8.h"

int collection_has_column(struct tx *tx, int64_t id, const char *name)
{
	int64_t one;

	return db_int(tx->db, &one, "SELECT 1 FROM collection_columns WHERE collection_id = ?1"
				    " AND name = ?2 AND position IS NOT NULL", "is", id, name);
}

int collection_need_column(struct tx *tx, int64_t id, const char *field, const char *column,
			   struct fault *rejected)
{
	struct collection_state state;
	int r;

	if (rejected->code)
		return 0;
	r = collection_has_column(tx, id, column);
	if (r != 0)
		return r < 0 ? r : 0;
	r = collection_state(tx, id, &state);
	if (r < 0)
		return r;
	fault_invalid(rejected, field, "only columns of the collection '%s'; '%s' is none of them",
		      state.name, column);
	return 0;
}

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

static json_object *default_of(const char *type, const char *value)
{
	json_object *json = NULL;

	/* A default is text; where the column holds JSON it stands for what it says. */
	if (strcmp(type, "json") == 0)
		json = tx_parse(value);
	return json ? json : json_object_new_string(value);
}

int collection_defaults(struct tx *tx, int64_t id, const char **ret_defaults)
{
	json_object *defaults = NULL;
	QUERY q = NULL;
	int r;

	*ret_defaults = NULL;
	r = db_query(tx->db, &q, "SELECT name, type, default_value FROM collection_columns"
				 " WHERE collection_id = ?1 AND default_value IS NOT NULL"
				 " ORDER BY position", "i", id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		if (!defaults)
			defaults = json_object_new_object();
		if (!defaults || json_object_object_add(defaults, column_peek(q, 0),
							default_of(column_peek(q, 1),
								   column_peek(q, 2))) < 0)
			r = -ENOMEM;
	}
	if (r >= 0 && defaults)
		*ret_defaults = tx_strdup(tx, json_text(defaults, NULL));
	json_object_put(defaults);
	return r < 0 ? r : 0;
}

int collection_fill(struct tx *tx, const char *defaults, const char *input_values,
		    const char **ret_values)
{
	json_object *values, *fallbacks;
	bool changed = false;

	*ret_values = input_values;
	if (!defaults || !input_values)
		return 0;
	values = tx_parse(input_values);
	fallbacks = tx_parse(defaults);
	if (!values || !fallbacks) {
		json_object_put(values);
		json_object_put(fallbacks);
		return -ENOMEM;
	}
	json_object_object_foreach(fallbacks, key, value)
	{
		if (json_object_object_get_ex(values, key, NULL))
			continue;
		json_object_object_add(values, key, json_object_get(value));
		changed = true;
	}
	if (changed)
		*ret_values = tx_strdup(tx, json_text(values, NULL));
	json_object_put(values);
	json_object_put(fallbacks);
	return 0;
}

/* Looked up once: the search goes over all columns. */
static int find_next_position(struct tx *tx, struct collection_state *state)
{
	if (state->next_position >= 0)
		return 0;
	return db_int(tx->db, &state->next_position, "SELECT coalesce(max(position) + 1, 0)"
						     " FROM collection_columns WHERE collection_id = ?1",
		      "i", state->id);
}

/* A new one, or new type and default of an old one. */
static int put_column(struct tx *tx, struct collection_state *state,
		      const struct ellu_column *column)
{
	int r;

	r = db_run(tx->db, "UPDATE collection_columns SET type = ?3, default_value = ?4"
			   " WHERE collection_id = ?1 AND name = ?2 AND position IS NOT NULL",
		   "isss", state->id, column->name, column->type, column->default_value);
	if (r == 0)
		r = find_next_position(tx, state);
	else
		return r;
	if (r >= 0)
		r = db_run(tx->db, "INSERT INTO collection_columns (owner_uid, project_id,"
				   " collection_id, name, type, default_value, position)"
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
				   " ON CONFLICT (collection_id, name) DO UPDATE SET type = ?5,"
				   "  default_value = ?6, position = ?7",
			   "iiisssi", state->owner_uid, state->project_id, state->id, column->name,
			   column->type, column->default_value, state->next_position++);
	return r;
}

int collection_check_count(struct tx *tx, int64_t id, const char *field)
{
	int64_t there;
	int r = db_int(tx->db, &there, "SELECT count(position) FROM collection_columns"
				       " WHERE collection_id = ?1", "i", id);

	if (r >= 0 && there > COLUMNS_MAX)
		return fault_invalid(tx->fault, field, "at most %d different keys", COLUMNS_MAX);
	return r < 0 ? r : 0;
}

int collection_add_columns(struct tx *tx, struct collection_state *state,
			   const char *names)
{
	json_object *array;
	int r = 0;

	if (!names)
		return 0;
	array = tx_parse(names);
	if (!array)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < json_object_array_length(array); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(array, i));

		r = collection_has_column(tx, state->id, name);
		if (r == 0)
			r = put_column(tx, state, &(struct ellu_column){ .name = name,
									.type = "text" });
	}
	json_object_put(array);
	return r < 0 ? r : collection_check_count(tx, state->id, "variables");
}

int collection_retire_columns(struct tx *tx, struct collection_state *state, const char *names,
			      bool declared)
{
	int r;

	state->next_position = -1;
	r = db_run(tx->db, "DELETE FROM collection_columns WHERE collection_id = ?1"
			   " AND (?3 OR default_value IS NULL)"
			   " AND name NOT IN (SELECT value FROM json_each(?2))"
			   " AND NOT EXISTS (SELECT 1 FROM runs WHERE collection_id = ?1)",
		   "isb", state->id, names, (int)declared);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE collection_columns SET position = NULL, default_value = NULL"
				   " WHERE collection_id = ?1 AND (?3 OR default_value IS NULL)"
				   " AND name NOT IN (SELECT value FROM json_each(?2))",
			   "isb", state->id, names, (int)declared);
	return r < 0 ? r : 0;
}

int collection_columns(struct tx *tx, int64_t id, struct tx_list *columns)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT name, type, default_value, position"
				 " FROM collection_columns WHERE collection_id = ?1"
				 " AND position IS NOT NULL ORDER BY position", "i", id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct ellu_column *column = TX_RECORD(tx, struct ellu_column);

		if (!column)
			return -ENOMEM;
		column->name = tx_text(tx, q, 0);
		column->type = tx_text(tx, q, 1);
		column->default_value = tx_text(tx, q, 2);
		column->position = tx_int(tx, q, 3);
		r = tx_append(tx, columns, column);
	}
	return r < 0 ? r : 0;
}

/* Two columns of one name. */
int collection_check_columns(struct tx *tx, const struct ellu_collection *content,
			     const char *path)
{
	for (size_t i = 0; i < content->n_columns; i++) {
		const struct ellu_column *column = content->columns[i];

		for (size_t j = 0; j < i; j++)
			if (strcmp(column->name, content->columns[j]->name) == 0)
				return fault_invalid(tx->fault,
						     tx_printf(tx, "%s.columns[%zu].name", path, i),
						     "a name that no other column has");
	}
	return 0;
}

static bool column_equal(const struct ellu_column *a, const struct ellu_column *b)
{
	return same_text(a->name, b->name) && same_text(a->type, b->type) &&
	       same_text(a->default_value, b->default_value);
}

int collection_has_columns(struct tx *tx, const struct collection_state *state,
			   const struct ellu_collection *content)
{
	struct tx_list columns = { 0 };
	bool equal;
	int r;

	if (!content->columns)
		return 1;
	r = collection_columns(tx, state->id, &columns);
	equal = state->variables_count > 0 || columns.n == content->n_columns;
	for (size_t i = 0; r >= 0 && equal && i < content->n_columns; i++)
		equal = i < columns.n && column_equal(columns.items[i], content->columns[i]);
	return r < 0 ? r : equal;
}

static int64_t rank(const struct ellu_column *column, const struct ellu_collection *content)
{
	for (size_t i = 0; i < content->n_columns; i++)
		if (strcmp(content->columns[i]->name, column->name) == 0)
			return (int64_t)i;
	return -1;
}

/* First out of the way of each other, since no two may have one position. */
static int order_columns(struct tx *tx, struct collection_state *state,
			 const struct ellu_collection *content)
{
	int64_t next = (int64_t)content->n_columns;
	struct tx_list columns = { 0 };
	int r = collection_columns(tx, state->id, &columns);

	if (r >= 0)
		r = db_run(tx->db, "UPDATE collection_columns SET position = NULL"
				   " WHERE collection_id = ?1", "i", state->id);
	for (size_t i = 0; r >= 0 && i < columns.n; i++) {
		const struct ellu_column *column = columns.items[i];
		int64_t position = rank(column, content);

		r = db_run(tx->db, "UPDATE collection_columns SET position = ?3"
				   " WHERE collection_id = ?1 AND name = ?2",
			   "isi", state->id, column->name, position < 0 ? next++ : position);
	}
	state->next_position = next;
	return r < 0 ? r : 0;
}

int collection_set_columns(struct tx *tx, struct collection_state *state,
			   const struct ellu_collection *content)
{
	int r = 0;

	/* Which columns there are follows from rows; without any, from what is declared. */
	if (state->variables_count == 0)
		r = collection_retire_columns(tx, state, "[]", /* declared= */ true);
	for (size_t i = 0; r >= 0 && i < content->n_columns; i++)
		r = put_column(tx, state, content->columns[i]);
	if (r >= 0)
		r = collection_has_columns(tx, state, content);
	return r == 0 ? order_columns(tx, state, content) : r < 0 ? r : 0;
}
