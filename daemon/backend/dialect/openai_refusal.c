/* Errors as OpenAI's dialect has them: of its own providers, and of others that took its form over. */
#include <string.h>

#include "daemon/backend/dialect/openai_form.h"
#include "daemon/backend/wire/json.h"

static bool names(const char *text, const char *what)
{
	return text && strcasestr(text, what);
}

static bool names_any(const char *text, const char *const *words)
{
	while (*words && !names(text, *words))
		words++;
	return *words != NULL;
}

/* What a parameter was refused for. */
static enum error_hint hint_of_param(const char *text, const struct refusal *refusal)
{
	static const char *const formats[] = { "response_format", "json_schema", "json_object",
					       "structured output", "guided_json", "grammar", NULL };
	static const char other_name[] = "max_completion_tokens";

	/* Its value may be wrong as well, and then its other name is no better. */
	if (names(text, other_name) || strcmp(text, "max_tokens") == 0)
		return (refusal->code ? names(refusal->code, "unsupported") :
					names(refusal->message, other_name)) ? HINT_MAX_TOKENS : HINT_NONE;
	if (names(text, "stream_options"))
		return HINT_STREAM_OPTIONS;
	return names_any(text, formats) ? HINT_RESPONSE_FORMAT : HINT_NONE;
}

/* Providers say it in the code, the type or the parameter; in words alone only where there is
 * neither, since words may be those of the prompt. */
static enum error_hint hint_of(const struct refusal *refusal)
{
	static const char *const contents[] = { "content_filter", "content_policy", "moderation",
						"context_length", NULL };
	static const char *const moderated[] = { "moderation", "flagged", NULL };
	static const char *const quotas[] = { "insufficient_quota", "billing", NULL };

	if (names_any(refusal->code, contents))
		return HINT_CONTENT;
	if (names_any(refusal->code, quotas) || names_any(refusal->type, quotas))
		return HINT_QUOTA;
	/* More than a whole minute's budget: it would never go. */
	if (refusal->status == 429 && names(refusal->message, "request too large"))
		return HINT_CONTENT;
	if (refusal->status == 403 && names_any(refusal->message, moderated))
		return HINT_CONTENT;
	if (refusal->status != 400 && refusal->status != 422)
		return HINT_NONE;
	if (refusal->param && *refusal->param)
		return hint_of_param(refusal->param, refusal);
	return refusal->message ? hint_of_param(refusal->message, refusal) : HINT_NONE;
}

/* `{error: {message, type, code, param}}`, `{error: "…"}`, `{message}` or `{detail}`. */
void openai_refusal(struct json_value *json, struct refusal *refusal)
{
	struct json_value *error = json_member(json, "error");

	if (json_is(error, JSON_OBJECT)) {
		refusal->message = json_text_member(error, "message");
		refusal->code = json_words(json_member(error, "code")); // or a number
		refusal->type = json_text_member(error, "type");
		refusal->param = json_text_member(error, "param");
	} else {
		/* Anything is better than nothing: some have lists of what is wrong there. */
		refusal->message = json_words(error ? error :
							  json_member(json, "message") ?
								  json_member(json, "message") :
								  json_member(json, "detail"));
	}
	refusal->hint = hint_of(refusal);
}
