#!/bin/sh
# wheel.sh PYTHON PACKAGE-FOLDER: pip makes a wheel of the package and installs it into an environment of its
# own, as the README says, and a type checker finds nothing in it.
set -eu
python=$1 package=$2
if [ -z "${ELLU_TEST_ALL:-}" ]; then
	echo "ELLU_TEST_ALL is not set"
	exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/environment"
bin=$folder/environment/bin
cp -r "$package" "$folder/package"
"$bin/pip" -q --disable-pip-version-check install "$folder/package" mypy
cd "$folder"
"$bin/mypy" --strict -p elluminated
"$bin/python" -c 'import elluminated, sys; sys.exit("site-packages" not in elluminated.__file__)'
