#include "cli/exit_code.h"

#include <errno.h>
#include <sysexits.h>

int exit_code(int err)
{
	switch (-err) {
	case 0:
		return EX_OK;
	case EKEYREJECTED:
	case ENOKEY:
	case EACCES:
	case EPERM:
		return EX_NOPERM;
	case EHOSTUNREACH:
		return EX_UNAVAILABLE;
	case ETIMEDOUT:
	case EBUSY:
	case ECANCELED:
		return EX_TEMPFAIL;
	case EPROTO:
		return EX_PROTOCOL;
	case ENOENT:
	case ENOTDIR:
		return EX_NOINPUT;
	case EEXIST:
	case ENOSPC:
	case EDQUOT:
	case EROFS:
		return EX_CANTCREAT;
	case EIO:
		return EX_IOERR;
	default:
		return EX_OSERR;
	}
}
