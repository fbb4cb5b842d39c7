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
