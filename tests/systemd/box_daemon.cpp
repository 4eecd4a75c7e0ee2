// A small daemon for the units of the tests. The last line of its own file says which version it
// is and how that version behaves: "#VERSION BEHAVIOUR".
//
//   sound      starts, says that it is ready, runs until SIGTERM
//   sick       as sound, but `NAME doctor` fails
//   crash      dies 100 ms after its start
//   fail       exits with 1 at once
//   hang       never says that it is ready
//   leave      its first process ends with 0 while a child goes on
//   impostor   becomes /opt/demo/impostor, another program
//
// Options: --notify (Type=notify), --fork (Type=forking), --once (Type=oneshot), --start-ms N and
// --stop-ms N (how long either takes), --workload PROGRAM (starts it once a boot).
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

std::string last_line_of_own_file() {
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  char text[256] = {};
  lseek(file, -255, SEEK_END);
  const ssize_t got = read(file, text, 255);
  close(file);
  std::string line(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  if (!line.empty() && line.back() == '\n') line.pop_back();
  const std::size_t mark = line.rfind("\n#");
  return mark == std::string::npos ? "unknown sound" : line.substr(mark + 2);
}

void tell_systemd(const char* text) {
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sendto(fd, text, strlen(text), 0, reinterpret_cast<sockaddr*>(&address), sizeof address);
  close(fd);
}

void sleep_ms(int duration) {
  usleep(static_cast<useconds_t>(duration) * 1000);
}

// One for each boot: /run is new each time.
void start_workload(const char* program) {
  const int once = open("/run/workload-started", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (once < 0) return;
  close(once);
  if (fork() == 0) {
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execl(program, program, "infinity", nullptr);
    _exit(127);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string own = last_line_of_own_file();
  const std::string version = own.substr(0, own.find(' '));
  const std::string behaviour = own.substr(own.find(' ') + 1);
  const char* slash = strrchr(arguments[0], '/');
  const char* name = slash != nullptr ? slash + 1 : arguments[0];
  bool notify = false;
  bool forking = false;
  bool once = false;
  int start_ms = 0;
  int stop_ms = 0;
  const char* workload = nullptr;
  for (int i = 1; i < count; ++i) {
    const std::string option = arguments[i];
    const char* next = i + 1 < count ? arguments[i + 1] : "0";
    if (option == "doctor") {
      printf("%s %s is %s\n", name, version.c_str(), behaviour.c_str());
      return behaviour == "sick" ? 1 : 0;
    }
    if (option == "--notify") notify = true;
    if (option == "--fork") forking = true;
    if (option == "--once") once = true;
    if (option == "--start-ms") start_ms = atoi(next);
    if (option == "--stop-ms") stop_ms = atoi(next);
    if (option == "--workload") workload = next;
  }

  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  printf("%s %s starts, %s\n", name, version.c_str(), behaviour.c_str());
  fflush(stdout);
  if (behaviour == "fail") return 1;
  if (once) return 0;
  if (behaviour == "impostor") {
    execv("/opt/demo/impostor", arguments);
    return 127;
  }
  if (behaviour == "leave" || forking) {
    if (fork() != 0) return 0;
    setsid();
  }
  if (workload != nullptr) start_workload(workload);
  sleep_ms(start_ms);
  if (behaviour == "hang") {
    puts("waiting for the frobnicator, which does not answer");
    fflush(stdout);
  } else if (notify) {
    tell_systemd("READY=1");
  }
  if (behaviour == "crash") {
    sleep_ms(100);
    return 1;
  }
  int got = 0;
  sigwait(&stop, &got);
  sleep_ms(stop_ms);
  return 0;
}
