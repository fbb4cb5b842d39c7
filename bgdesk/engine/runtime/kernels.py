"""How the engine's inner loops are compiled: by numba, without the interpreter lock, for the types that each one names.

A kernel names its types beside it, in numba's own words, so that it is compiled once, ahead of time if need be, and never
while somebody waits for a stroke. Arrays that a kernel only reads are marked by `read`: they may then be read-only ones. An
array of any other type or memory order is refused with a TypeError: its caller has to make it fit.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba.core import registry
from numba.core.compiler_lock import global_compiler_lock

from bgdesk.engine.runtime.kernel_cache import KernelCache

Function = TypeVar("Function", bound=Callable[..., Any])
Signature = tuple[Any, ...]

#: Types of single numbers; f4[:, ::1] is a plane of them whose rows lie one behind the other, f4[:, :] may be a part of a wider one.
b1: Any = numba.boolean
u1: Any = numba.uint8
u2: Any = numba.uint16
i4: Any = numba.int32
i8: Any = numba.int64
f4: Any = numba.float32
f8: Any = numba.float64

# numba's interior has no types.
_Dispatcher: Any = registry.CPUDispatcher


def read(array: Any) -> Any:
    """The type of an array that the kernel only reads."""
    return array.copy(readonly=True)


class Kernel(_Dispatcher):  # type: ignore[misc]
    """A function that is loaded, or compiled, at its first call, for all the types it is declared for and for no others."""

    def __init__(self, function: Callable[..., Any], signatures: tuple[Signature, ...]) -> None:
        super().__init__(function, targetoptions={"nopython": True, "nogil": True, "boundscheck": False})
        self.declared = signatures
        self._cache = KernelCache(function)

    @property
    def is_kept(self) -> bool:
        """Whether loading it will be quick. Damaged files count as good ones: loading compiles in their place."""
        return all(self._cache.has(signature, self.targetctx) for signature in self.declared)

    @property
    def is_ready(self) -> bool:
        """Whether it is loaded for all its types."""
        return not self._can_compile

    def load(self) -> None:
        """Load what is kept and compile the rest."""
        with global_compiler_lock:
            if self.is_ready:
                return
            for signature in self.declared:
                self.compile(signature)
            self.disable_compile()

    # numba asks for these two when it meets types that it has no machine code for.

    def _compile_for_args(self, *args: Any, **kws: Any) -> "Kernel":
        self.load()
        return self  # to be called again with the same arguments

    def get_call_template(self, args: Any, kws: Any) -> Any:
        self.load()
        return super().get_call_template(args, kws)


#: Every kernel that was imported.
kernels: list[Kernel] = []


def kernel(*signatures: Signature) -> Callable[[Function], Function]:
    """Make a function a kernel for the argument types of each of `signatures`."""

    def make(function: Function) -> Function:
        made: Any = Kernel(function, signatures)
        kernels.append(made)
        typed: Function = made
        return typed

    return make
