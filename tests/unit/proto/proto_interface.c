/* What the interface files say and what C says besides must agree. */
#include <stdio.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/task_status.h"
#include "tests/unit/suite.h"

static const struct record_field *field_find(const struct record_type *type, const char *name)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	return NULL;
}

START_TEST(methods)
{
	const struct method *method = method_find("org.elluminate.GetTask");

	ck_assert_int_eq(method->id, METHOD_GET_TASK);
	ck_assert_ptr_eq(method->request, &ellu_get_task_request_type);
	ck_assert_ptr_eq(method->interface, &elluminate_interface);
	ck_assert_uint_eq(elluminate_interface.n_methods, _METHOD_MAX);
	ck_assert_uint_eq(service_interface.n_methods, _SERVICE_METHOD_MAX);
	ck_assert_int_eq(method_find("org.varlink.service.GetInfo")->id, SERVICE_METHOD_GET_INFO);
	ck_assert_ptr_null(method_find("org.elluminate.gettask"));
	ck_assert_ptr_null(method_find("org.elluminate."));
	ck_assert_ptr_null(method_find(""));
	for (size_t i = 0; i < n_interfaces; i++)
		for (size_t k = 0; k < interfaces[i]->n_methods; k++) {
			method = &interfaces[i]->methods[k];
			ck_assert_ptr_eq(method_find(method->qualified_name), method);
			ck_assert_int_eq(method->id, (int) k);
		}
	ck_assert_ptr_eq(interface_find("org.varlink.service"), &service_interface);
	ck_assert_ptr_null(interface_find("org.varlink"));
}
END_TEST

/* So that HTTP needs no list of its own: what is asked for by GET changes nothing. */
START_TEST(paths)
{
	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		const struct method *method = &elluminate_interface.methods[i];

		ck_assert_msg(method->verb && method->path, "%s", method->name);
		ck_assert_msg(method->path[0] == '/', "%s", method->name);
		ck_assert_msg(method->safe || strcmp(method->verb, "GET") != 0, "%s", method->name);
	}
	ck_assert_str_eq(method_find("org.elluminate.GetTask")->verb, "GET");
	ck_assert_str_eq(method_find("org.elluminate.GetTask")->path, "/tasks/{id}");
	ck_assert_ptr_null(method_find("org.varlink.service.GetInfo")->path);
}
END_TEST

START_TEST(errors)
{
	ck_assert_str_eq(error_find(ELLU_E_NOT_FOUND)->qualified_name, "org.elluminate.NotFound");
	ck_assert_str_eq(error_find(ELLU_E_NOT_FOUND)->dbus_name, "org.elluminate.Error.NotFound");
	ck_assert_int_eq(error_find_name("InvalidParameter")->code, ELLU_E_INVALID_PARAMETER);
	ck_assert_int_eq(error_find_name("org.varlink.service.MethodNotFound")->exit_status, 21);
	ck_assert_ptr_null(error_find_name("org.elluminate.MethodNotFound"));
	ck_assert_ptr_null(error_find(0));
	for (size_t i = 0; i < n_error_infos; i++) {
		const struct error_info *error = &error_infos[i];

		ck_assert_int_eq(error->code, -(1000 + error->exit_status));
		ck_assert_ptr_eq(error_find(error->code), error);
		ck_assert_ptr_eq(error_find_name(error->qualified_name), error);
		ck_assert_ptr_eq(error_find_name(error->name), error);
		ck_assert_str_ne(error->text, "");
	}
}
END_TEST

/* A text has each line of its files, constraints above their fields. */
START_TEST(texts)
{
	ck_assert_ptr_nonnull(strstr(elluminate_interface.text, "\ninterface org.elluminate\n"));
	ck_assert_ptr_nonnull(strstr(elluminate_interface.text, "\n  # range: 1..9007199254740991\n  id: ?int,\n"));
	for (size_t i = 0; i < n_interfaces; i++)
		for (size_t k = 0; k < interfaces[i]->n_methods; k++) {
			char start[256];

			snprintf(start, sizeof(start), "\nmethod %s(",
				 interfaces[i]->methods[k].name);
			ck_assert_ptr_nonnull(strstr(interfaces[i]->text, start));
		}
}
END_TEST

START_TEST(pages)
{
	size_t n = 0;

	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		const struct method *method = &elluminate_interface.methods[i];
		const struct record_field *limit = field_find(method->request, "limit");
		bool paged = method->replies == METHOD_REPLIES_PAGES;

		ck_assert_msg(paged == (limit != NULL), "%s", method->name);
		if (!paged)
			continue;
		n++;
		ck_assert_int_eq((int) limit->low, 1);
		ck_assert_int_eq((int) limit->high, PAGE_MAX);
		ck_assert_int_eq(limit->fallback.integer, PAGE_DEFAULT);
		ck_assert_ptr_nonnull(field_find(method->request, "cursor"));
		ck_assert_ptr_nonnull(field_find(method->request, "count"));
		ck_assert_ptr_nonnull(field_find(method->reply, "items"));
		ck_assert_ptr_nonnull(field_find(method->reply, "next_cursor"));
		ck_assert_ptr_nonnull(field_find(method->reply, "count"));
	}
	ck_assert_uint_gt(n, 3);
	ck_assert_uint_eq(
		field_find(&ellu_add_template_variables_request_type, "variables")->length_high,
		ROWS_MAX);
	ck_assert_uint_eq(field_find(&ellu_collection_type, "variables")->length_high, ROWS_MAX);
	ck_assert(strstr(elluminate_interface.text, "name              1 to 200 characters"));
	ck_assert_int_eq(NAME_MAX_CHARS, 200);
}
END_TEST

START_TEST(statuses)
{
	const char *const *names = field_find(&ellu_task_type, "status")->one_of;

	for (int i = 0; i < _TASK_STATUS_MAX; i++) {
		ck_assert_str_eq(names[i], task_status_name((enum task_status) i));
		ck_assert_int_eq((int) task_status_from_name(names[i]), i);
	}
	ck_assert_ptr_null(names[_TASK_STATUS_MAX]);
	ck_assert_int_eq((int) task_status_from_name("pending"), _TASK_STATUS_INVALID);
	ck_assert_int_eq((int) task_status_from_name(NULL), _TASK_STATUS_INVALID);
	ck_assert_ptr_null(task_status_name(_TASK_STATUS_MAX));
	ck_assert_ptr_null(task_status_name(_TASK_STATUS_INVALID));
	ck_assert(!task_status_is_terminal(TASK_PENDING));
	ck_assert(!task_status_is_terminal(TASK_STARTED));
	for (int i = TASK_SUCCESS; i < _TASK_STATUS_MAX; i++)
		ck_assert(task_status_is_terminal((enum task_status) i));
	ck_assert_int_eq(task_status_exit(TASK_SUCCESS), 0);
	ck_assert_int_eq(task_status_exit(TASK_REJECTED), 13);
	ck_assert_int_eq(task_status_exit(TASK_PENDING), -1);
	ck_assert_int_eq(task_status_exit(_TASK_STATUS_INVALID), -1);
}
END_TEST

/* The daemon answers all of them with WatchTask's record, behind which others may have more. */
START_TEST(what_follows_tasks)
{
	const struct record_type *watch = &ellu_watch_task_reply_type;
	size_t n = 0;

	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		const struct method *method = &elluminate_interface.methods[i];

		if (!field_find(method->request, "detach"))
			continue;
		n++;
		ck_assert_int_eq(method->replies, METHOD_REPLIES_EVENTS);
		ck_assert_uint_ge(method->reply->n_fields, watch->n_fields);
		for (size_t k = 0; k < method->reply->n_fields; k++) {
			const struct record_field *field = &method->reply->fields[k];

			ck_assert(field->flags & FIELD_NULLABLE);
			if (k >= watch->n_fields)
				continue;
			ck_assert_str_eq(field->name, watch->fields[k].name);
			ck_assert_ptr_eq(field->type, watch->fields[k].type);
		}
	}
	ck_assert_uint_ge(n, 5);
}
END_TEST

int main(void)
{
	return RUN_TESTS(methods, paths, errors, texts, pages, statuses, what_follows_tasks);
}
