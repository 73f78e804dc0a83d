#!/bin/bash
# Unpacks the library of Anki 2.1.15 (sync version 9) into a folder. Nothing is installed: Debian's packages are only
# downloaded and unpacked, and the package lists of the machine stay as they are.
# usage: setup.sh FOLDER
set -euo pipefail
folder=$1
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

apt-get update -qq
# The mirror that this machine uses already.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
         grep -v security | head -n 1)
[ -n "$mirror" ] || { echo "no Debian mirror is configured" >&2; exit 1; }

# Debian 11 (bullseye) is the last release with this version of Anki.
apt=$folder/apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bullseye main" >"$apt/sources.list"
cp /var/lib/dpkg/status "$apt/status"
bullseye=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
          -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o "Dir::State::status=$apt/status")
apt-get -qq "${bullseye[@]}" -o APT::Sandbox::User=root update

mkdir -p "$folder/debs"
cd "$folder/debs"
rm -f ./*.deb
apt-get -qq "${bullseye[@]}" -o APT::Sandbox::User=root download anki
dpkg -x anki_*.deb "$folder/anki"
rm -f anki_*.deb
# What the library imports fits the Python of the machine, so it comes from the machine's own Debian release.
apt-get -qq -o APT::Sandbox::User=root download python3-requests python3-urllib3 python3-chardet \
  python3-charset-normalizer python3-idna python3-certifi python3-six python3-bs4 \
  python3-soupsieve python3-decorator python3-distro
for deb in ./*.deb; do dpkg -x "$deb" "$folder/needs"; done
rm -rf "$folder/debs" "$apt"
