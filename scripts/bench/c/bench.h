/* Measures the work of a program, and prints one line of JSON. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <libgearman/gearman.h>

static const char WORKLOAD[] = "0123456789abcdef0123456789abcdef";
#define WORKLOAD_SIZE 32

static double begin, cpu_begin;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static double ms(struct timeval time) { return time.tv_sec * 1e3 + time.tv_usec / 1e3; }

static struct rusage usage(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage;
}

static double cpu(void) { return ms(usage().ru_utime) + ms(usage().ru_stime); }

static void start(void) {
  begin = now();
  cpu_begin = cpu();
}

/* Maximum resident memory in bytes; ru_maxrss would include the program that started this one. */
static long peak(void) {
  char line[256];
  long kib = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL) sscanf(line, "VmHWM: %ld", &kib);
  if (status != NULL) fclose(status);
  return kib * 1024;
}

static void report(long jobs) {
  printf("{\"jobs\":%ld,\"ms\":%f,\"cpu\":%f,\"peak\":%ld}\n", jobs, now() - begin, cpu() - cpu_begin, peak());
  fflush(stdout);
}

static void must(gearman_return_t status, const char *error) {
  if (status == GEARMAN_SUCCESS) return;
  fprintf(stderr, "%s\n", error);
  exit(1);
}
