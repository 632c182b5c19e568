#include "daemon/store/resources/llm_config_secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/identity.h"
#include "proto/generated/interface.h"

#define FINGERPRINT_DIGITS 32

/* ---- Fingerprints ---- */

const char *config_fingerprint(const struct ellu_llm_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_fingerprints; i++)
		if (strcmp(config->fingerprints[i].key, name) == 0)
			return config->fingerprints[i].value;
	return NULL;
}

static bool has_all(const struct ellu_llm_config *a, const struct ellu_llm_config *b,
		    const char *prefix)
{
	for (size_t i = 0; i < b->n_fingerprints; i++) {
		const struct ellu_entry *entry = &b->fingerprints[i];
		const char *value;

		if (strncmp(entry->key, prefix, strlen(prefix)) != 0)
			continue;
		value = config_fingerprint(a, entry->key);
		if (!value || strcmp(value, entry->value) != 0)
			return false;
	}
	return true;
}

bool config_fingerprints_equal(const struct ellu_llm_config *a, const struct ellu_llm_config *b,
			       const char *prefix)
{
	return has_all(a, b, prefix) && has_all(b, a, prefix);
}

int config_add_fingerprint(struct tx *tx, struct ellu_llm_config *config, const char *name,
			   const char *value)
{
	struct ellu_entry *entries;
	size_t n = config->n_fingerprints;

	if (!value)
		return 0;
	entries = tx_array(tx, n + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	if (n > 0)
		memcpy(entries, config->fingerprints, n * sizeof(*entries));
	entries[n] = (struct ellu_entry){ name, value };
	config->fingerprints = entries;
	config->n_fingerprints = n + 1;
	return 0;
}

int config_drop_fingerprint(struct tx *tx, struct ellu_llm_config *config, const char *name)
{
	const struct ellu_llm_config all = *config;
	struct ellu_entry *entries = tx_array(tx, all.n_fingerprints, sizeof(*entries));
	size_t n = 0;

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < all.n_fingerprints; i++)
		if (strcmp(all.fingerprints[i].key, name) != 0)
			entries[n++] = all.fingerprints[i];
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

static int add_body(struct sealing *sealing, json_object *body)
{
	int r = 0;

	json_object_object_foreach(body, name, value)
	{
		if (r >= 0)
			r = add(sealing, tx_printf(sealing->tx, SECRET_OF_BODY "%s", name), NULL,
				json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
	}
	return r;
}

static int add_all(struct sealing *sealing, const struct ellu_llm_config *config,
		   json_object *body, const char *query)
{
	int r = 0;

	if (config->api_key)
		r = add(sealing, SECRET_OF_KEY, config->api_key, NULL);
	if (r >= 0 && query)
		r = add(sealing, SECRET_OF_URL, query, NULL);
	for (size_t i = 0; r >= 0 && i < config->n_extra_headers; i++)
		r = add(sealing, tx_printf(sealing->tx, SECRET_OF_HEADERS "%s",
					   config->extra_headers[i].key),
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
	if (secret->llm_base_url)
		config->llm_base_url = secret->llm_base_url;
	config->api_key = secret->api_key;
	config->extra_headers = secret->extra_headers;
	config->n_extra_headers = secret->n_extra_headers;
	config->extra_body = secret->extra_body;
	return 0;
}
