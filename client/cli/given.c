/* What the options said, in a request, and what is wrong with a request, in the words of the options. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/options.h"

/* The object that holds the field's last part, made if need be; NULL without memory. */
static json_object *holder_of(json_object *request, const char *field, const char **ret_last)
{
	const char *dot = strchr(field, '.');
	json_object *member;
	char first[64];

	*ret_last = dot ? dot + 1 : field;
	if (!dot)
		return request;
	snprintf(first, sizeof(first), "%.*s", (int) (dot - field), field);
	member = json_object_object_get(request, first);
	if (json_object_is_type(member, json_type_object))
		return holder_of(member, dot + 1, ret_last);
	member = json_object_new_object();
	return member && json_object_object_add(request, first, member) == 0 ?
		       holder_of(member, dot + 1, ret_last) :
		       NULL;
}

static int set_field(json_object *request, const char *field, json_object *value)
{
	return json_object_object_add(request, field, json_object_get(value)) < 0 ? -ENOMEM : 0;
}

static int add_text(json_object *request, const char *field, json_object *value)
{
	json_object *array = json_object_object_get(request, field);

	if (!array) {
		array = json_object_new_array();
		if (!array || json_object_object_add(request, field, array) < 0)
			return -ENOMEM;
	}
	return json_object_array_add(array, json_object_get(value)) < 0 ? -ENOMEM : 0;
}

int options_apply(const struct arguments *arguments, json_object *request)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < arguments->n_given; i++) {
		const struct given *given = &arguments->given[i];
		const char *last;
		json_object *holder = holder_of(request, given->option->field, &last);

		if (!holder)
			return -ENOMEM;
		if (given->option->kind == OPTION_VERDICT) {
			json_object_object_foreach(given->value, name, value)
				r = r < 0 ? r : set_field(holder, name, value);
		} else if (given->option->kind == OPTION_TEXTS) {
			r = add_text(holder, last, given->value);
		} else {
			r = set_field(holder, last, given->value);
		}
	}
	return r;
}

const char *options_given(const struct arguments *arguments, const char *name)
{
	for (size_t i = 0; i < arguments->n_given; i++)
		if (strcmp(arguments->given[i].option->name, name) == 0)
			return arguments->given[i].text ? arguments->given[i].text : "";
	return NULL;
}

/* Is `path` the field, or a part of it? */
static bool is_within(const char *path, const char *field)
{
	size_t length = strlen(field);

	return strncmp(path, field, length) == 0 && strchr(".[", path[length]);
}

/* "exactly one of inputs, collection" as "exactly one of --inputs, --collection"; or at most, or at least. */
static void name_options(const struct command *command, const char *message, char *named, size_t size)
{
	static const char *const choices[] = { "expected exactly one of ", "expected at most one of ",
					       "expected at least one of " };
	const char *names = NULL;
	size_t used = (size_t) snprintf(named, size, "%s", message);

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (strncmp(message, choices[i], strlen(choices[i])) == 0)
			names = message + strlen(choices[i]);
	if (!names)
		return;
	used = (size_t) (names - message);
	for (const char *word = names; *word && used < size; word += strspn(word, ", ")) {
		const size_t length = strcspn(word, ",");
		const char *name = NULL;
		char field[64];

		snprintf(field, sizeof(field), "%.*s", (int) length, word);
		for (const struct option *const *own = command->options; own && *own && !name; own++)
			name = (*own)->field && strcmp((*own)->field, field) == 0 ? (*own)->name : NULL;
		used += (size_t) snprintf(named + used, size - used, "%s%s%s",
					  word == names ? "" : ", ", name ? "--" : "",
					  name ? name : field);
		word += length;
	}
}

/* The message without the path that it begins with. */
static const char *without_path(const char *message, const char *field)
{
	const size_t length = strlen(field);

	return strncmp(message, field, length) == 0 && strncmp(message + length, ": ", 2) == 0 ?
		       message + length + 2 :
		       message;
}

/* What is wrong with a field, or a part of it, as what is wrong with its option: `[1]` is the second of
 * the names that it was given. */
static void blame(const struct option *option, const char *text, const char *field, const char *said,
		  struct complaint *ret_complaint)
{
	const char *part = is_within(field, option->field) ? field + strlen(option->field) : "", *one = text;
	char *end;

	if (text && *part == '[' && strchr(text, ',')) {
		for (unsigned long n = strtoul(part + 1, &end, 10); one && n > 0; n--)
			one = strchr(one, ',') ? strchr(one, ',') + 1 : NULL;
		if (one && strcmp(end, "]") == 0) {
			complain(ret_complaint, "--%s %s: %.*s: %s", option->name, text,
				 (int) strcspn(one, ","), one, said);
			return;
		}
	}
	part += *part == '.';
	if (text && strcmp(part, "[0]") == 0)
		part = "";
	complain(ret_complaint, "--%s%s%s%s%s: %s", option->name, text ? " " : "", text ? text : "",
		 *part ? ": " : "", part, said);
}

bool options_blame_missing(const struct command *command, const char *field, const char *message,
			   struct complaint *ret_complaint)
{
	char named[sizeof(ret_complaint->text)];

	for (const struct option *const *own = command ? command->options : NULL; own && *own; own++) {
		/* An item of a list is one of a file, since no option has said it. */
		if (!(*own)->field || !is_within(field, (*own)->field) || field[strlen((*own)->field)] == '[')
			continue;
		name_options(command, without_path(message, field), named, sizeof(named));
		if (strncmp(named, "expected exactly", strlen("expected exactly")) == 0)
			complain(ret_complaint, "%s", named);
		else
			blame(*own, NULL, field, named, ret_complaint);
		return true;
	}
	return false;
}

bool options_blame(const struct arguments *arguments, const char *field, const char *message,
		   struct complaint *ret_complaint)
{
	static const char item[] = "experiments[", check[] = "criteria[0].check";
	bool is_operand = strncmp(field, item, strlen(item)) == 0;
	size_t index = is_operand ? strtoul(field + strlen(item), NULL, 10) : 0;

	if (is_operand && index < arguments->n_operands) {
		complain(ret_complaint, "%s: %s", arguments->operands[index], without_path(message, field));
		return true;
	}
	if (arguments->check && strstr(field, check)) {
		complain(ret_complaint, "--check %s: %s", arguments->check, without_path(message, field));
		return true;
	}
	for (size_t i = 0; *field && i < arguments->n_given; i++) {
		const struct given *given = &arguments->given[i];

		if (!is_within(field, given->option->field) &&
		    !(given->option->kind == OPTION_VERDICT && strcmp(field, "rating") == 0))
			continue;
		blame(given->option, given->text, field, without_path(message, field), ret_complaint);
		return true;
	}
	return false;
}
