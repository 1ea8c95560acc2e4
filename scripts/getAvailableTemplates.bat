@echo off
rem HostFactory calls this with -f input.json. It runs the program of its own name: installed beside this folder in bin\,
rem or frozen in a checkout. All of these scripts are the same.
setlocal disabledelayedexpansion
set "hfstack_program=%~dp0..\bin\%~n0.exe"
if not exist "%hfstack_program%" set "hfstack_program=%~dp0..\dist\windows-x86_64\hfstack\%~n0.exe"
if not exist "%hfstack_program%" (
    echo {"message": "%~n0: there is no program %~n0.exe, hfstack is not installed completely"}
    exit /b 1
)
"%hfstack_program%" %*
exit /b %ERRORLEVEL%
