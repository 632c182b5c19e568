/* What a field of the interface holds. */
#pragma once

enum field_kind {
	FIELD_BOOL,
	FIELD_INT,
	FIELD_FLOAT,
	FIELD_STRING,
	FIELD_TIME,
	FIELD_MONEY,
	FIELD_OBJECT,
	FIELD_STRUCT,
	_FIELD_KIND_MAX,
};
