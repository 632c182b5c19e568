#include "daemon/backend/dialect/target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/json/json_check.h"

#define SECRET_SIZE_MIN 6 // shorter values would be found everywhere
#define ANSWER_SECRET_SIZE_MIN 12 // shorter keys are words, such as `lm-studio` for a local server

/* ---- What is one ---- */

/* A text of the target's arena that is kept secret, and wiped at the end. -1 without
 * memory: `text` may be NULL for it. */
static int add_secret(struct llm_target *target, char *text, bool is_key)
{
	struct target_secret *secret;
	size_t size = text ? strlen(text) : 0;

	if (!text)
		return -1;
	if (size < SECRET_SIZE_MIN)
		return 0;
	secret = arena_alloc(&target->arena, sizeof(*secret));
	if (!secret)
		return -1;
	*secret = (struct target_secret){ text, size, is_key, target->secrets };
	target->secrets = secret;
	return 0;
}

int target_keep_secret(struct llm_target *target, char *text)
{
	return add_secret(target, text, /* is_key= */ true);
}

/* Of a header, a member of the body, a parameter of the URL. */
static bool names_key(const char *name)
{
	static const char *const names[] = { "auth", "key", "token", "secret", "cookie", "password" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasestr(name, names[i]))
			return true;
	return false;
}

int target_add_header_secret(struct llm_target *target, const char *name, char *value)
{
	char *last = value ? strrchr(value, ' ') : NULL;
	bool is_key = names_key(name);

	if (!value)
		return -1;
	if (strcasecmp(name, "Content-Type") == 0 || strcasecmp(name, "Accept") == 0)
		return 0;
	if (last && add_secret(target, last + 1, is_key) < 0)
		return -1;
	return add_secret(target, value, is_key);
}

/* Each parameter of the URL as it stands, and decoded. */
static int add_query_secrets(struct llm_target *target, const char *query)
{
	for (size_t size; *query; query += size + (query[size] != '\0')) {
		char *name = arena_strndup(&target->arena, query, size = strcspn(query, "&#"));
		char *value = name ? strchr(name, '=') : NULL, *plain;
		int n = 0;

		if (!name)
			return -1;
		if (!value)
			continue;
		*value++ = '\0';
		plain = curl_easy_unescape(NULL, value, 0, &n);
		if (!plain || add_secret(target, value, names_key(name)) < 0 ||
		    add_secret(target, arena_strndup(&target->arena, plain, (size_t)n),
				      names_key(name)) < 0) {
			curl_free(plain);
			return -1;
		}
		curl_free(plain);
	}
	return 0;
}

/* All texts in it. `name` is that of the innermost member. */
static int add_body_secrets(struct llm_target *target, const char *name, json_object *json)
{
	int r = 0;

	if (json_object_is_type(json, json_type_string))
		return add_secret(target, arena_strdup(&target->arena,
							      json_object_get_string(json)),
					 names_key(name));
	if (json_object_is_type(json, json_type_array))
		for (size_t i = 0; r == 0 && i < json_object_array_length(json); i++)
			r = add_body_secrets(target, name, json_object_array_get_idx(json, i));
	if (json_object_is_type(json, json_type_object)) {
		json_object_object_foreach(json, key, value)
		{
			if (r == 0)
				r = add_body_secrets(target, key, value);
		}
	}
	return r;
}

int target_add_secrets(struct llm_target *target, const struct ellu_llm_config *config,
		       struct fault *fault)
{
	const char *query = config->llm_base_url ? strchr(config->llm_base_url, '?') : NULL;
	json_object *body = NULL;
	int r = 0;

	if (config->extra_body) {
		r = json_parse_strict(config->extra_body, strlen(config->extra_body), &body, fault);
		if (r < 0)
			return r;
	}
	if (target->key)
		r = add_secret(target, target->key, /* is_key= */ true);
	if (r == 0 && query)
		r = add_query_secrets(target, query + 1);
	if (r == 0)
		r = add_body_secrets(target, "", body);
	json_object_put(body);
	return r < 0 ? fault_oom(fault) : 0;
}

/* ---- Access tokens ---- */

static void forget_bearer(struct target_secret *bearer)
{
	if (bearer->text)
		explicit_bzero(bearer->text, bearer->size);
	free(bearer->text);
	bearer->text = NULL;
}

void target_forget_secrets(struct llm_target *target)
{
	for (struct target_secret *secret = target->secrets; secret; secret = secret->next)
		explicit_bzero(secret->text, secret->size);
	for (size_t i = 0; i < sizeof(target->bearers) / sizeof(*target->bearers); i++)
		forget_bearer(&target->bearers[i]);
}

/* Those that came since, and those of the config; ends with NULL. */
static const struct target_secret *first_secret(const struct llm_target *target)
{
	return target->bearers[0].text ? &target->bearers[0] : target->secrets;
}

int target_set_bearer(struct llm_target *target, const char *token, int64_t number)
{
	struct target_secret *now = &target->bearers[0], *before = &target->bearers[1];
	char *copy;

	if (target->bearer_number == number)
		return 0;
	copy = strdup(token);
	if (!copy)
		return -1;
	forget_bearer(before);
	*before = *now;
	before->next = target->secrets;
	*now = (struct target_secret){ copy, strlen(copy), true, before->text ? before : target->secrets };
	target->bearer_number = number;
	return 0;
}

/* ---- In texts ---- */

static void blot_out(const struct target_secret *secret, char *text, size_t size)
{
	char *end = text + size, *found = text;

	while ((found = memmem(found, (size_t)(end - found), secret->text, secret->size))) {
		memset(found, '*', secret->size);
		found += secret->size;
	}
}

/* The text may have been cut inside the secret before it came here. */
static void blot_out_end(const struct target_secret *secret, char *text, size_t size)
{
	for (size_t n = secret->size - 1; n >= SECRET_SIZE_MIN; n--) {
		if (n <= size && memcmp(text + size - n, secret->text, n) == 0) {
			memset(text + size - n, '*', n);
			return;
		}
	}
}

void target_redact(const struct llm_target *target, char *text, size_t size)
{
	for (const struct target_secret *secret = first_secret(target); secret && size > 0;
	     secret = secret->next) {
		blot_out(secret, text, size);
		blot_out_end(secret, text, size);
	}
}

void target_redact_text(const char *secret, size_t secret_size, char *text, size_t size)
{
	const struct target_secret one = { (char *)(uintptr_t)secret, secret_size, true, NULL };

	blot_out(&one, text, size);
	blot_out_end(&one, text, size);
}

static bool is_looked_for(const struct target_secret *secret)
{
	return secret->is_key && secret->size >= ANSWER_SECRET_SIZE_MIN;
}

void target_redact_answer(const struct llm_target *target, char *text, size_t size)
{
	for (const struct target_secret *secret = first_secret(target); secret && size > 0;
	     secret = secret->next) {
		if (is_looked_for(secret))
			blot_out(secret, text, size);
	}
}

size_t target_begins_secret(const struct llm_target *target, const char *text, size_t size)
{
	size_t longest = 0;

	for (const struct target_secret *secret = first_secret(target); secret; secret = secret->next) {
		size_t n = secret->size - 1 < size ? secret->size - 1 : size;

		for (; is_looked_for(secret) && n > longest; n--) {
			if (memcmp(text + size - n, secret->text, n) == 0)
				longest = n;
		}
	}
	return longest;
}
