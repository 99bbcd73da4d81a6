/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The life of the moderator: the one helper process of an httpd.
 *
 * It is forked by the parent without exec, as mod_cgid does it: so one file is all that is deployed. The place must be
 * one where the scoreboard exists: post_config at a graceful restart, pre_mpm otherwise (pre_mpm alone is not run by a
 * graceful restart, both are run by SIGHUP, hence the flag). It is tied to the configuration's pool, and so ends with
 * each generation; the parent starts a new one when it dies. It ends itself when the parent is gone.
 */

#include "moderator/mb_moderator.h"

#include "ap_listen.h"
#include "http_main.h"
#include "mpm_common.h"
#include "scoreboard.h"
#include "unixd.h"

#include <signal.h>
#include <syslog.h>

/* The moderator's exit code for what only the configuration can change: it is not started again before the next
 * restart. Above all signals, because httpd tells the parent one number for both; 7 and 15 mean something to the MPMs.
 * What the network or the system may change is none of it. */
#define EXIT_HOPELESS 100
#define EXIT_FAILED 101

/* The moderator of this generation. */
static struct {
    apr_proc_t *process; /* its pid, in memory of the configuration's pool: APR looks at it after we are unloaded */
    int alive;           /* whether the pid is still ours to signal */
    server_rec *server;
    pid_t parent;     /* httpd's, which forks it */
    apr_pool_t *pool; /* the configuration's */
    mb_server *settings;
    mb_control *control; /* listening socket; NULL: none */
    int started;
    /* where its sockets are: what is announced while no moderator lives waits there for the next */
    bh_sockets_t *sockets;
    int forkless; /* the last fork failed: tried again at the parent's next look */
    bh_moderator_config_t config;
} self;

static apr_status_t start(void);
static void have_farewell_said(void);

static void say_cannot_start(const char *why) {
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, self.server,
                 "BH0205: the moderator cannot start: %s; no request is sent to another server", why);
}

/* ---- In the moderator ---- */

static int error_log_fd(void) {
    apr_os_file_t fd = STDERR_FILENO;
    if (self.server->error_log) apr_os_file_get(&fd, self.server->error_log);
    return fd;
}

static void leave(int code) {
    /* Not exit(): that would run httpd's cleanups and end our siblings. */
    _exit(code);
}

/* Privileges down, then tie the life to the parent's: a change of user clears the death signal, so in this order. */
static void drop_privileges(pid_t parent) {
    if (ap_run_drop_privileges(self.pool, self.server)) leave(EXIT_HOPELESS);
    if (!bh_helper_tie(parent)) leave(0);
}

static void check_directory(void) {
    if (access(self.settings->directory, R_OK | W_OK | X_OK) == 0) return;
    if (ap_unixd_config.chroot_dir) {
        /* The control socket is outside, where the parent has made it; only the speed of the machine is kept inside. */
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, errno, self.server,
            "BH0372: ChrootDir %s has no folder %s in it that the user of the children may read and write: the speed "
            "of this machine is "
            "measured at each start",
            ap_unixd_config.chroot_dir, self.settings->directory);
        return;
    }
    ap_log_error(
        APLOG_MARK, APLOG_ERR, errno, self.server,
        "BH0204: UnixSocketDir %s is not readable and writable for the user of the children: the moderator is not "
        "started, no request is sent to another server",
        self.settings->directory);
    leave(EXIT_HOPELESS);
}

static void work(pid_t parent) {
    char error[BH_ERROR_SIZE];
    bh_moderator_t *moderator;
    bh_helper_begin("bh-moderator");
    /* httpd's connection to syslog goes with the rest; reopened by number it would be one of our sockets. At once:
     * there may be no /dev/log where ChrootDir leads. */
    if (!self.server->error_log) closelog();
    bh_descriptors_close(&self.config, error_log_fd());
    if (!self.server->error_log) openlog(ap_server_argv0, LOG_PID | LOG_CONS | LOG_NDELAY, 0);

    bh_status_t status = bh_moderator_new(&self.config, &moderator, error, sizeof error);
    if (status != BH_OK) {
        say_cannot_start(error);
        leave(status == BH_EINVAL ? EXIT_HOPELESS : EXIT_FAILED);
    }
    drop_privileges(parent);
    check_directory();
    bh_moderator_run(moderator);
    bh_moderator_free(moderator);
    leave(0);
}

/* ---- In the parent ---- */

static apr_status_t close_sockets(void *data) {
    bh_sockets_close(self.sockets);
    self.sockets = NULL;
    return APR_SUCCESS;
}

/* No moderator before the next restart: the table would go stale, so children stop looking at it, and no process would
 * answer at the control socket. */
static void give_up(void) {
    close_sockets(NULL);
    if (mb_segment) bh_half_store(&mb_segment->unattended, 1);
    if (self.control) mb_control_close(self.control);
    self.control = NULL;
    mb_pidfile_remove();
}

static void note_end(int status) {
    self.alive = 0; /* its pid may be another process's by now */
    apr_proc_other_child_unregister(self.process);
    if (mb_mpm_is_stopping()) {
        /* BH_FAREWELL_ASKED: it was forked for the farewell. */
        uint32_t farewell = bh_half_load(&mb_segment->farewell);
        if (farewell == BH_FAREWELL_OPEN || farewell == BH_FAREWELL_LEFT) have_farewell_said();
        return;
    }
    if (status == EXIT_HOPELESS) {
        give_up(); /* it has said why */
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, self.server,
                 "BH0206: the moderator (pid %" APR_PID_T_FMT ") has ended with "
                 "signal or code %d: starting a new one",
                 self.process->pid, status);
    start();
}

/* The configuration goes away. note_subprocess waits for the moderator and kills it if it must. */
static void ask_to_end(void) {
    bh_farewell_t before = bh_farewell_set(mb_segment, BH_FAREWELL_ASKED);
    kill(self.process->pid, SIGTERM);
    kill(self.process->pid, SIGCONT); /* a stopped one would leave only when it goes on */
    if (before == BH_FAREWELL_LEFT) have_farewell_said();
}

/* Called by httpd's parent when something happens to the process. */
static void on_process_event(int reason, void *data, int status) {
    switch (reason) {
    case APR_OC_REASON_DEATH: note_end(status); break;
    case APR_OC_REASON_LOST:
        self.alive = 0;
        apr_proc_other_child_unregister(self.process);
        if (!mb_mpm_is_stopping()) start();
        break;
    case APR_OC_REASON_RESTART: apr_proc_other_child_unregister(self.process); break;
    case APR_OC_REASON_UNREGISTER:
        if (self.alive) ask_to_end();
        break;
    }
}

/* In the parent, once for all moderators of this configuration. Closed before this module may be unloaded. */
static void open_sockets(void) {
    char error[BH_ERROR_SIZE];
    if (self.sockets) return;
    if (bh_sockets_open(&self.sockets, error, sizeof error) == BH_OK) {
        self.config.sockets = self.sockets;
        apr_pool_cleanup_register(self.pool, NULL, close_sockets, apr_pool_cleanup_null);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, self.server,
                 "BH0220: %s: what is announced while the moderator is replaced is lost", error);
}

/* Another time it may work: the parent looks again as often as httpd runs its monitor hook, every ten seconds or so.
 * Until then the children do not look at a table that grows old. */
static void wait_for_fork(apr_status_t why) {
    if (!self.forkless)
        ap_log_error(APLOG_MARK, APLOG_ERR, why, self.server,
                     "BH0207: cannot fork the moderator: there is none until that works; tried again within 15 s");
    self.forkless = 1;
    if (mb_segment) bh_half_store(&mb_segment->unattended, 1);
}

static apr_status_t launch(void) {
    open_sockets();
    pid_t parent = getpid();
    /* A signal for the moderator must not run a handler of the parent's between fork and its own. */
    bh_helper_hold_signals(true);
    pid_t pid = fork();
    if (pid == 0) work(parent);
    int why = errno;
    bh_helper_hold_signals(false);
    if (pid < 0) {
        self.started = 1;
        wait_for_fork(why);
        return why;
    }
    if (self.forkless) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, self.server, "BH0221: the moderator could be forked again");
        if (mb_segment) bh_half_store(&mb_segment->unattended, 0);
    }
    self.forkless = 0;
    self.process->pid = pid;
    self.alive = self.started = 1;
    mb_pidfile_write(self.pool, self.server, self.settings->pid_file, pid);
    apr_pool_note_subprocess(self.pool, self.process, APR_KILL_AFTER_TIMEOUT);
    apr_proc_other_child_register(self.process, on_process_event, self.process, NULL, self.pool);
    return APR_SUCCESS;
}

static apr_status_t start(void) {
    bh_farewell_set(mb_segment, BH_FAREWELL_OPEN);
    mb_shutdown_prepare();
    return launch();
}

/* The moderator has ended without a farewell, and httpd stops: another one says only that. */
static void have_farewell_said(void) {
    if (!mb_shutdown_ask(NULL, true) || !bh_word_load(&mb_segment->announced_ms)) return;
    bh_farewell_set(mb_segment, BH_FAREWELL_ASKED);
    launch();
}

/* Decisions among them need no moderator, and no moderator of the last configuration lives any more. */
static void write_members(server_rec *server, const mb_server *settings) {
    if (mb_segment_attach(server) != APR_SUCCESS) return;
    if (!settings->directory) bh_half_store(&mb_segment->unattended, 2);
    mb_members_write();
}

static int prepare(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    mb_server *settings = mb_main_server();
    memset(&self, 0, sizeof self);
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) return OK;
    if (mb_members_are_named()) write_members(server, settings);
    if (!settings->directory) return OK;
    self.server = server;
    self.parent = getpid();
    self.pool = pconf;
    self.process = apr_pcalloc(pconf, sizeof *self.process);
    self.settings = settings;
    if (!mb_own_port(settings)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "BH0208: no plain Listen and no port in MulticastStats: the moderator is not started, "
                     "no request is sent to another server");
        return OK;
    }
    /* What is missing has been logged; httpd works without. An error from here would end it at a graceful restart. */
    if (mb_segment_attach(server) != APR_SUCCESS) return OK;
    if (!mb_members_are_named()) mb_members_write();
    mb_pool_prepare(server, mb_mpm_is_prefork() && mb_line_first(MB_FIRST_SHARED));
    self.control = mb_control_open(pconf, server, settings);
    if (!self.control) {
        give_up();
        return OK;
    }
    bh_half_store(&mb_segment->unattended, 0);
    self.config = mb_describe(self.pool, server, self.control);
    if (ap_exists_scoreboard_image()) start();
    return OK;
}

static int start_late(apr_pool_t *pool, ap_scoreboard_e type) {
    if (self.control && !self.started) start();
    return OK;
}

static int try_again(apr_pool_t *pool, server_rec *server) {
    if (self.control && self.forkless && !mb_mpm_is_stopping()) start();
    return OK;
}

/* A child that outlives its parent must not seem to be the moderator. With httpd -X there is no child. */
static void leave_sockets(apr_pool_t *pool, server_rec *server) {
    if (!self.control || getpid() == self.parent) return;
    close_sockets(NULL);
    mb_control_close(self.control);
    self.control = NULL;
}

void mb_moderator_register(apr_pool_t *pool) {
    ap_hook_child_init(leave_sockets, NULL, NULL, APR_HOOK_MIDDLE);
    /* After mod_cgid has forked its daemon, which would keep the control socket. */
    ap_hook_post_config(prepare, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_pre_mpm(start_late, NULL, NULL, APR_HOOK_LAST);
    ap_hook_monitor(try_again, NULL, NULL, APR_HOOK_MIDDLE);
}
