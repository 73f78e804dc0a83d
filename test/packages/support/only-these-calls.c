// Runs a program that may make only the system calls of a list; all others fail with EPERM, as under
// SystemCallFilter= with SystemCallErrorNumber=EPERM. Usage: only-these-calls LIST PROGRAM [ARGUMENT]…
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  FILE *list = fopen(argv[1], "r");
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (list == NULL || filter == NULL) return 2;
  char name[128];
  int known = 0;
  while (fgets(name, sizeof name, list) != NULL) {
    name[strcspn(name, "\n")] = 0;
    int call = seccomp_syscall_resolve_name(name);
    // Calls of other processors have no number here.
    if (call >= 0 && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0) known++;
  }
  if (known < 100 || seccomp_load(filter) != 0) return 2;
  execv(argv[2], argv + 2);
  perror("execv");
  return 2;
}
