"""Composites with known truth, made anew in every test."""

import cv2
import numpy as np


def hairy(height: int, width: int, seed: int = 1, dtype: type = np.uint8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(source, true alpha, true foreground): a disc with soft rim and hairs over a smooth, noisy backdrop."""
    random = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    centre, radius = (width // 2, height // 2), min(height, width) // 4
    cv2.circle(mask, centre, radius, 255, -1, cv2.LINE_AA)
    for angle in np.linspace(0, 2 * np.pi, 60, endpoint=False):
        tip = (int(centre[0] + 1.5 * radius * np.cos(angle)), int(centre[1] + 1.5 * radius * np.sin(angle)))
        cv2.line(mask, centre, tip, 255, 1, cv2.LINE_AA)
    alpha = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 1.2)
    alpha[alpha > 0.995] = 1
    alpha[alpha < 0.005] = 0
    front = np.clip(np.array([0.85, 0.55, 0.2]) + 0.03 * random.standard_normal((height, width, 3)), 0, 1)
    slope = np.linspace(0, 0.2, width)[None, :, None]
    back = np.clip(np.array([0.1, 0.3, 0.6]) + slope + 0.03 * random.standard_normal((height, width, 3)), 0, 1)
    top = np.iinfo(dtype).max
    mixed = alpha[..., None] * front + (1 - alpha[..., None]) * back
    return np.rint(mixed * top).astype(dtype), alpha, np.rint(front * top).astype(dtype)


#: Studio green and blue, a red sweep, and a yellow one, all strongly coloured.
BACKDROPS = {"green": (0.0, 0.69, 0.25), "blue": (0.05, 0.2, 0.85), "red": (0.85, 0.1, 0.12), "yellow": (0.95, 0.8, 0.1)}


def strands(
    height: int, width: int, backdrop: tuple[float, float, float], seed: int = 1, blur: float = 0.0, hairs: int = 90
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(source, true alpha, true foreground), 8 bit: a head of fine curved hairs over a strongly coloured backdrop.

    The front's colours change slowly from place to place and streakily across; the backdrop is lit unevenly, with noise.
    """
    random = np.random.default_rng(seed)
    mask = np.zeros((2 * height, 2 * width), np.uint8)
    centre, radius = (width, int(1.2 * height)), int(0.54 * min(height, width))
    cv2.ellipse(mask, centre, (radius, int(1.2 * radius)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    along = np.linspace(0.5, 1, 14)
    for _ in range(hairs):
        angle, length, bend = random.uniform(0.9, 2.1) * np.pi, radius * random.uniform(1.1, 1.75), random.normal(0, 0.35)
        turn = angle + bend * (along - 0.6)
        points = np.stack([centre[0] + length * along * np.cos(turn), centre[1] + 1.2 * length * along * np.sin(turn)], axis=-1)
        cv2.polylines(mask, [(points * 16).astype(np.int32)], False, 255, 1 + int(random.random() < 0.3), cv2.LINE_AA, 4)
    alpha = cv2.resize(mask.astype(np.float32) / 255, (width, height), interpolation=cv2.INTER_AREA)
    if blur:
        alpha = cv2.GaussianBlur(alpha, (0, 0), blur)
    alpha[alpha > 0.995] = 1
    alpha[alpha < 0.005] = 0
    front = cv2.resize(random.random((5, 5, 3)).astype(np.float32) * 0.5 + 0.15, (width, height), interpolation=cv2.INTER_CUBIC)
    streaks = cv2.GaussianBlur(random.standard_normal((height, width)).astype(np.float32), (0, 0), sigmaX=1, sigmaY=6)
    front = np.clip(front + (0.05 * streaks / streaks.std())[..., None], 0, 1)
    light = np.linspace(0.85, 1.05, width)[None, :, None]
    back = np.clip(np.array(backdrop) * light + 0.01 * random.standard_normal((height, width, 3)), 0, 1)
    mixed = alpha[..., None] * front + (1 - alpha[..., None]) * back
    return np.rint(mixed * 255).astype(np.uint8), alpha, np.rint(front * 255).astype(np.uint8)


def coarse(alpha: np.ndarray, blur: float = 4.0) -> np.ndarray:
    """What a network would say of it: the right place, without the detail."""
    blurred = cv2.GaussianBlur(alpha, (0, 0), blur)
    blurred[blurred < 0.01] = 0
    blurred[blurred > 0.99] = 1
    return blurred


def trimap_of(alpha: np.ndarray, width: int = 9) -> np.ndarray:
    """Known where the truth is solid in a neighbourhood of `width` pixels."""
    kernel = np.ones((width, width), np.uint8)
    trimap = np.full(alpha.shape, 128, np.uint8)
    trimap[cv2.erode(alpha, kernel) >= 1] = 255
    trimap[cv2.dilate(alpha, kernel) <= 0] = 0
    return trimap
