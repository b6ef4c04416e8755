"""Textbook extended Kalman filter with the attributes and arguments that filterpy 2.0.0 documents for its own."""

import numpy as np


class ExtendedKalmanFilter:
    """x, P, F, B, Q are set from outside."""

    def __init__(self, dim_x, dim_z):
        self.x, self.P, self.F, self.Q = np.zeros(dim_x), np.eye(dim_x), np.eye(dim_x), np.eye(dim_x)
        self.B = np.zeros(dim_x)

    def predict(self, u):
        self.x = self.F @ self.x + self.B * u
        self.P = self.F @ self.P @ self.F.T + self.Q

    def update(self, z, HJacobian, Hx, R, hx_args=()):
        H = HJacobian(self.x)
        K = self.P @ H.T / (H @ self.P @ H.T + R)
        self.x = self.x + K @ (z - Hx(self.x, *hx_args))
        self.P = (np.eye(len(self.x)) - K @ H) @ self.P
