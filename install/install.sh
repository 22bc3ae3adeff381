#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# install.sh install|uninstall BUILT: installs libkcfaes, which `make lib` has put into the folder BUILT, or
# removes it. DESTDIR, PREFIX and LIBDIR are in the environment. No installed text mentions DESTDIR.

set -eu
# Folders are for everybody, also where root's umask is 077.
umask 022

verb=$1
built=$2
source=$(dirname "$0")/..
PREFIX=${PREFIX%/}
LIBDIR=${LIBDIR%/}
header=$source/include/kcfaes.h

fail() {
	echo "$verb: $*" >&2
	exit 1
}

# number NAME: a number of the version.
number() {
	sed -n "s/^#define KCFAES_VERSION_$1 //p" "$header"
}
major=$(number MAJOR)
version=$major.$(number MINOR).$(number PATCH)
soname=libkcfaes.so.$major

for folder in "$PREFIX" "$LIBDIR"; do
	case $folder in
	/*) ;;
	*) fail "not an absolute path: $folder" ;;
	esac
done
if [ "$verb" = install ]; then
	for file in libkcfaes.a "libkcfaes.so.$version"; do
		[ -f "$built/$file" ] || fail "$built/$file is not there: run make lib first"
	done
fi

# Whether a folder belongs to the system even if it is empty (FHS 3.0, chapters 4 and 4.9).
is_the_systems() {
	case $1 in
	/usr | /usr/include | /usr/lib | /usr/share | /usr/share/man | /usr/share/man/man3) ;;
	/usr/local | /usr/local/include | /usr/local/lib | /usr/local/share | /usr/local/share/man) ;;
	*) return 1 ;;
	esac
}

# remove FILE: and the folders that it leaves empty, up to DESTDIR.
remove() {
	if [ -e "$1" ] || [ -L "$1" ]; then
		rm -f "$1"
		echo "removed $1"
	fi
	folder=${1%/*}
	while [ -n "$folder" ] && [ "$folder" != "$DESTDIR" ]; do
		if [ -z "$DESTDIR" ] && is_the_systems "$folder"; then
			break
		fi
		# It may be gone already.
		if [ -d "$folder" ] && ! rmdir "$folder" 2>/dev/null; then
			break
		fi
		folder=${folder%/*}
	done
}

# settle FILE: what is ready under FILE.new becomes FILE at once. A program that runs with an older
# library keeps it.
settle() {
	mv -f "$1.new" "$1"
	echo "installed $1"
}

# put MODE FILE TO
put() {
	if [ "$verb" = uninstall ]; then
		remove "$DESTDIR$3"
		return
	fi
	mkdir -p "$DESTDIR${3%/*}"
	cp "$2" "$DESTDIR$3.new"
	chmod "$1" "$DESTDIR$3.new"
	settle "$DESTDIR$3"
}

# name TARGET TO: a symbolic link.
name() {
	if [ "$verb" = uninstall ]; then
		remove "$DESTDIR$2"
		return
	fi
	rm -f "$DESTDIR$2.new"
	ln -s "$1" "$DESTDIR$2.new"
	settle "$DESTDIR$2"
}

# fill FILE TO: a file in which names between @ have their values.
fill() {
	if [ "$verb" = uninstall ]; then
		remove "$DESTDIR$2"
		return
	fi
	mkdir -p "$DESTDIR${2%/*}"
	sed -e "s|@PREFIX@|$(plain "$PREFIX")|" -e "s|@PC_LIBDIR@|$(plain "$pc_libdir")|" \
	    -e "s|@CMAKE_INCLUDE@|$(plain "$cmake_include")|" -e "s|@SONAME@|$soname|" \
	    -e "s|@MAJOR@|$major|" -e "s|@VERSION@|$version|" "$1" >"$DESTDIR$2.new"
	chmod 0644 "$DESTDIR$2.new"
	settle "$DESTDIR$2"
}

# plain TEXT: as sed takes it literally in what it puts in.
plain() {
	printf %s "$1" | sed 's/[\\&|]/\\&/g'
}

# Relative where it can be, so that an installation may move as a whole.
case $LIBDIR in
"$PREFIX"/*)
	below=${LIBDIR#"$PREFIX"/}
	pc_libdir="\${prefix}/$below"
	up=$(printf %s "$below" | sed 's|[^/][^/]*|..|g')
	cmake_include="\${CMAKE_CURRENT_LIST_DIR}/../../$up/include"
	;;
*)
	pc_libdir=$LIBDIR
	cmake_include=$PREFIX/include
	;;
esac

for file in kcfaes.h kcfaes_kcf.h kcfaes_spi.h; do
	put 0644 "$source/include/$file" "$PREFIX/include/$file"
done

put 0644 "$built/libkcfaes.a" "$LIBDIR/libkcfaes.a"
put 0755 "$built/libkcfaes.so.$version" "$LIBDIR/libkcfaes.so.$version"
name "libkcfaes.so.$version" "$LIBDIR/$soname"
name "$soname" "$LIBDIR/libkcfaes.so"
fill "$source/install/kcfaes.pc.in" "$LIBDIR/pkgconfig/kcfaes.pc"
for file in kcfaes-config.cmake kcfaes-config-version.cmake; do
	fill "$source/install/$file.in" "$LIBDIR/cmake/kcfaes/$file"
done

# A page is found under the name of each function that it describes.
for page in "$source"/man/*.3; do
	file=${page##*/}
	put 0644 "$page" "$PREFIX/share/man/man3/$file"
	for function in $(sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z0-9_]*\).*/\1/p' "$page"); do
		[ "$function.3" = "$file" ] || name "$file" "$PREFIX/share/man/man3/$function.3"
	done
done
