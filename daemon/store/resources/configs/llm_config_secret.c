#include "daemon/store/resources/configs/llm_config_secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/identity.h"
#include "proto/generated/interface.h"
#include "proto/text/utf8.h"

#define FINGERPRINT_DIGITS 32

/* ---- Fingerprints ---- */

/* Those of headers and body have a name behind. */
static const char *const fields[] = {
	[CONFIG_SECRET_KEY] = "api_key",
	[CONFIG_SECRET_HEADERS] = "extra_headers",
	[CONFIG_SECRET_BODY] = "extra_body",
	[CONFIG_SECRET_URL] = "llm_base_url",
};
_Static_assert(sizeof(fields) / sizeof(*fields) == _CONFIG_SECRET_MAX, "every secret has a field");

const char *config_secret_field(enum config_secret kind)
{
	return fields[kind];
}

static bool is_of(const struct ellu_entry *entry, enum config_secret kind)
{
	size_t length = strlen(fields[kind]);

	return strncmp(entry->key, fields[kind], length) == 0 &&
	       (!entry->key[length] || entry->key[length] == '.');
}

bool config_has_secret(const struct ellu_llm_config *config, enum config_secret kind)
{
	for (size_t i = 0; i < config->n_fingerprints; i++)
		if (is_of(&config->fingerprints[i], kind))
			return true;
	return false;
}

static const char *fingerprint(const struct ellu_llm_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_fingerprints; i++)
		if (strcmp(config->fingerprints[i].key, name) == 0)
			return config->fingerprints[i].value;
	return NULL;
}

static bool has_all(const struct ellu_llm_config *a, const struct ellu_llm_config *b,
		    enum config_secret kind)
{
	for (size_t i = 0; i < b->n_fingerprints; i++) {
		const struct ellu_entry *entry = &b->fingerprints[i];

		if (is_of(entry, kind) && !same_text(fingerprint(a, entry->key), entry->value))
			return false;
	}
	return true;
}

bool config_secrets_equal(const struct ellu_llm_config *a, const struct ellu_llm_config *b,
			  enum config_secret kind)
{
	return has_all(a, b, kind) && has_all(b, a, kind);
}

/* Room for what there is, and so many more. */
static struct ellu_entry *copy_fingerprints(struct tx *tx, struct ellu_llm_config *config, size_t more)
{
	struct ellu_entry *entries = tx_array(tx, config->n_fingerprints + more, sizeof(*entries));

	if (entries && config->n_fingerprints > 0)
		memcpy(entries, config->fingerprints, config->n_fingerprints * sizeof(*entries));
	config->fingerprints = entries;
	return entries;
}

int config_keep_fingerprints(struct tx *tx, struct ellu_llm_config *config,
			     const struct ellu_llm_config *from, enum config_secret kind)
{
	struct ellu_entry *entries = copy_fingerprints(tx, config, from->n_fingerprints);

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_fingerprints; i++)
		if (is_of(&from->fingerprints[i], kind))
			entries[config->n_fingerprints++] = from->fingerprints[i];
	return 0;
}

int config_drop_fingerprints(struct tx *tx, struct ellu_llm_config *config,
			     enum config_secret kind)
{
	struct ellu_entry *entries = copy_fingerprints(tx, config, 0);
	size_t n = 0;

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_fingerprints; i++)
		if (!is_of(&entries[i], kind))
			entries[n++] = entries[i];
	config->fingerprints = n > 0 ? entries : NULL;
	config->n_fingerprints = n;
	return 0;
}

struct sealing {
	struct tx *tx;
	struct ellu_entry *entries;
	size_t n;
};

/* Of a text, or of a JSON value; with what only this folder has, so that nobody can try values
 * against a copy of the database. */
static int add(struct sealing *sealing, const char *name, const char *text, const char *json)
{
	struct tx *tx = sealing->tx;
	char hash[IDENTITY_SIZE];
	struct identity identity;
	int r = 0;

	identity_init(&identity);
	identity_text(&identity, tx->store->secrets.salt);
	identity_text(&identity, text);
	if (json)
		r = identity_json(&identity, json);
	identity_done(&identity, hash);
	sealing->entries[sealing->n].key = name;
	sealing->entries[sealing->n].value = tx_printf(tx, "%.*s", FINGERPRINT_DIGITS, hash);
	if (!name || !sealing->entries[sealing->n].value)
		return -ENOMEM;
	sealing->n++;
	return r;
}

static const char *name_of(struct sealing *sealing, enum config_secret kind, const char *name)
{
	return tx_printf(sealing->tx, "%s.%s", fields[kind], name);
}

static int add_body(struct sealing *sealing, json_object *body)
{
	int r = 0;

	json_object_object_foreach(body, name, value)
	{
		if (r >= 0)
			r = add(sealing, name_of(sealing, CONFIG_SECRET_BODY, name), NULL,
				json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
	}
	return r;
}

static int add_all(struct sealing *sealing, const struct ellu_llm_config *config,
		   json_object *body, const char *query)
{
	int r = 0;

	if (config->api_key)
		r = add(sealing, fields[CONFIG_SECRET_KEY], config->api_key, NULL);
	if (r >= 0 && query)
		r = add(sealing, fields[CONFIG_SECRET_URL], query, NULL);
	for (size_t i = 0; r >= 0 && i < config->n_extra_headers; i++)
		r = add(sealing, name_of(sealing, CONFIG_SECRET_HEADERS, config->extra_headers[i].key),
			config->extra_headers[i].value, NULL);
	return r < 0 || !body ? r : add_body(sealing, body);
}

/* ---- Both halves ---- */

static int write_secret(struct tx *tx, const struct ellu_llm_config *config, bool whole_url,
			const char **ret_secret)
{
	struct ellu_llm_config secret = ELLU_RECORD(struct ellu_llm_config);
	char *text;
	size_t size;
	int r;

	secret.name = config->name;
	secret.provider = config->provider;
	secret.llm_model_name = config->llm_model_name;
	secret.llm_base_url = whole_url ? config->llm_base_url : NULL;
	secret.api_key = config->api_key;
	secret.extra_headers = config->extra_headers;
	secret.n_extra_headers = config->n_extra_headers;
	secret.extra_body = config->extra_body;
	r = record_to_text(&ellu_llm_config_type, &secret, TO_DAEMON, &text, &size);
	if (r < 0)
		return r;
	*ret_secret = arena_strndup(tx->arena, text, size);
	explicit_bzero(text, size);
	free(text);
	return *ret_secret ? 0 : -ENOMEM;
}

int config_seal(struct tx *tx, const struct ellu_llm_config *config,
		struct ellu_llm_config *ret_public, const char **ret_secret)
{
	struct ellu_llm_config public = *config;
	const char *query = config->llm_base_url ? strchr(config->llm_base_url, '?') : NULL;
	json_object *body = config->extra_body ? tx_parse(config->extra_body) : NULL;
	size_t n_body = body ? (size_t)json_object_object_length(body) : 0;
	struct sealing sealing = { .tx = tx };
	int r;

	*ret_secret = NULL;
	sealing.entries = tx_array(tx, 2 + config->n_extra_headers + n_body, sizeof(struct ellu_entry));
	r = !sealing.entries || (config->extra_body && !body) ?
		    -ENOMEM :
		    add_all(&sealing, config, body, query);
	json_object_put(body);
	if (r < 0)
		return r;
	if (query)
		public.llm_base_url = tx_printf(tx, "%.*s", (int)(query - config->llm_base_url),
						config->llm_base_url);
	public.api_key = public.extra_body = NULL;
	public.extra_headers = NULL;
	public.n_extra_headers = 0;
	public.fingerprints = sealing.n > 0 ? sealing.entries : NULL;
	public.n_fingerprints = sealing.n;
	*ret_public = public;
	return sealing.n == 0 ? 0 : write_secret(tx, config, query != NULL, ret_secret);
}

void config_copy_secret(struct ellu_llm_config *config, const struct ellu_llm_config *from,
			enum config_secret kind)
{
	switch (kind) {
	case CONFIG_SECRET_KEY:
		config->api_key = from->api_key;
		break;
	case CONFIG_SECRET_HEADERS:
		config->extra_headers = from->extra_headers;
		config->n_extra_headers = from->n_extra_headers;
		break;
	case CONFIG_SECRET_BODY:
		config->extra_body = from->extra_body;
		break;
	default: // a file has the URL only where it has a query
		config->llm_base_url = from->llm_base_url ? from->llm_base_url : config->llm_base_url;
	}
}

int config_unseal(struct tx *tx, const char *name, struct ellu_llm_config *config)
{
	const struct ellu_llm_config *secret;
	struct fault fault;
	const char *text;
	void *record;
	int r;

	r = secrets_read(&tx->store->secrets, name, tx->arena, &text);
	if (r < 0)
		return r;
	r = record_from_text(&ellu_llm_config_type, text, strlen(text), FROM_CLIENT, tx->arena, &record,
			     &fault);
	if (r < 0)
		return r == ELLU_E_INTERNAL ? -ENOMEM : -EBADMSG;
	secret = record;
	for (int kind = 0; kind < _CONFIG_SECRET_MAX; kind++)
		config_copy_secret(config, secret, kind);
	return 0;
}
